"""All SQL of the dispatch room, split by noun; here, what the pages read."""

from dispatch.store.board import Board, BoardAlarm, BoardOrder, board
from dispatch.store.candidates import Candidate, candidates
from dispatch.store.jobs import Job, JobCard, PastFault, PhotoRef, job_card, jobs_of
from dispatch.store.proof import (
    AssetHistory,
    ChainStatus,
    CheckedItem,
    HistoryEntry,
    Photo,
    RecordView,
    asset_history,
    chain_status,
    photo,
    record_view,
)
from dispatch.store.story import StoryEntry, story

__all__ = [
    "AssetHistory",
    "Board",
    "BoardAlarm",
    "BoardOrder",
    "Candidate",
    "ChainStatus",
    "CheckedItem",
    "HistoryEntry",
    "Job",
    "JobCard",
    "PastFault",
    "Photo",
    "PhotoRef",
    "RecordView",
    "StoryEntry",
    "asset_history",
    "board",
    "candidates",
    "chain_status",
    "job_card",
    "jobs_of",
    "photo",
    "record_view",
    "story",
]
