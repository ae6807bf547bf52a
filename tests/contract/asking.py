"""What the tests of all clients ask."""

MODEL = "openai/gpt-4o-mini"
CLAUDE = "anthropic/claude-sonnet-4.5"
SUM = "What is 2 + 3?"
WEATHER = "What is the weather in Paris?"
TRIP = "A trip to Paris for 2 days"
