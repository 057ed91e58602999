"""Wiring only: the pipeline, the processes, the command line, the demo and the device simulator."""
