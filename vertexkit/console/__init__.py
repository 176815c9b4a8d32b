"""The operators' console: a page about the executions of a journal, served to operators."""
