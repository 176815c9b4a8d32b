"""The completion of commands by bash, zsh and fish."""
