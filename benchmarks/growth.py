"""What growing costs: `python -m benchmarks.growth [--devices 100000] [--seconds 40] [--json]`.

CPU a message of the gateway and its database with 100,000 devices beside that with 1,000, the gateway's memory
while the larger fleet says as much as in an hour (each device every 15 minutes, in as short a time as it
takes), and what one more rule on a class costs a message, beside having no rules at all. All of it is CPU
time, which a busy machine changes little.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import mean
from time import process_time
from typing import Any

from benchmarks.arena import Load, Measured, measure
from benchmarks.gateways import ours
from benchmarks.machine import machine
from benchmarks.report import Benchmark, Figures, Option, verdict
from gateway.signals import Device, Heard, Reading
from rules.apply import Stepping
from rules.book import RuleBook, load_rulebook, shipped_rules
from rules.state import DeviceState

FEW = 1_000
EVERY = timedelta(minutes=15)
WANTED_RATIO = 1.3
WANTED_MB = 250.0
WANTED_RULE_US = 3.0
FLAT_MB = 10.0
TRIES = 7
RULE = """\
  bench_{n}:
    severity: info
    when: fill_percent >= {level}.0 && battery_percent < {battery}.0
    for: 10m
    title: {{ zh: 基准, en: Bench }}
    meaning: {{ zh: 基准。, en: Bench. }}
    todo: {{ zh: [看], en: [Look] }}
    safety: {{ zh: 无。, en: None. }}
"""
