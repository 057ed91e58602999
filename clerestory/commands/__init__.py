"""One module a group of commands; each offers its commands as `COMMANDS`."""
