"""Checkers: what must hold in every run, judged by what truly happened.

Each looks at the journal's events as they happen, at the world and at the witness; never at what the
engine believes. A checker yields a sentence for each violation.
"""

from lamplighter.testing.checkers.blind import OutageHeld
from lamplighter.testing.checkers.capacity import CountExact, MaxKept, MinKept, SharesSound
from lamplighter.testing.checkers.conditions import FailedTruly, StillStands
from lamplighter.testing.checkers.conduct import ApprovalKept, BudgetKept, NoFlapping, RepairsBounded
from lamplighter.testing.checkers.debts import BegunIsEnded, NamedOnce, OrdersStand
from lamplighter.testing.checkers.order import ApprovalFresh, NeedsKept
from lamplighter.testing.checkers.ownership import AppliedOnce, OneOwner, RecordedFirst
from lamplighter.testing.checkers.passes import ActionsEnd, Hear, LoadKnown, OneHand, UndoKept
from lamplighter.testing.checkers.promises import DrainAsPromised, FreezeKept, ShortIsSaid, WaysBackKept
from lamplighter.testing.checkers.reasons import Patient, ScaledDownRightly
from lamplighter.testing.checkers.refused import RefusedIsNotOwed
from lamplighter.testing.checkers.releases import BakeKept, OrderedOnly, OwnRelease
from lamplighter.testing.checkers.safety import KnownOnly, NothingDropped
from lamplighter.testing.checkers.saving import FitsLoad, SuccessorFirst, UndoSpares
from lamplighter.testing.checkers.seen import Checker, Violation
from lamplighter.testing.checkers.stakes import NotAtOnceAgain, RiskKept, StakesTold
from lamplighter.testing.checkers.words import DownMeansDown, FencedSilent, VerifiedTrue
from lamplighter.testing.checkers.zero import WaitersServed, ZeroAfterIdle, ZeroOnlyWhenIdle

__all__ = [
    "ActionsEnd",
    "AppliedOnce",
    "ApprovalFresh",
    "ApprovalKept",
    "BakeKept",
    "BegunIsEnded",
    "BudgetKept",
    "Checker",
    "CountExact",
    "DownMeansDown",
    "DrainAsPromised",
    "FailedTruly",
    "FencedSilent",
    "FitsLoad",
    "FreezeKept",
    "Hear",
    "KnownOnly",
    "LoadKnown",
    "MaxKept",
    "MinKept",
    "NamedOnce",
    "NeedsKept",
    "NoFlapping",
    "NotAtOnceAgain",
    "NothingDropped",
    "OneHand",
    "OneOwner",
    "OrderedOnly",
    "OrdersStand",
    "OutageHeld",
    "OwnRelease",
    "Patient",
    "RecordedFirst",
    "RefusedIsNotOwed",
    "RepairsBounded",
    "RiskKept",
    "ScaledDownRightly",
    "SharesSound",
    "ShortIsSaid",
    "StakesTold",
    "StillStands",
    "SuccessorFirst",
    "UndoKept",
    "UndoSpares",
    "VerifiedTrue",
    "Violation",
    "WaitersServed",
    "WaysBackKept",
    "ZeroAfterIdle",
    "ZeroOnlyWhenIdle",
    "all_checkers",
]


def all_checkers() -> list[Checker]:
    """Return one of each, fresh."""
    return [
        MinKept(),
        MaxKept(),
        CountExact(),
        SharesSound(),
        OneOwner(),
        AppliedOnce(),
        RecordedFirst(),
        KnownOnly(),
        NothingDropped(),
        BudgetKept(),
        RepairsBounded(),
        ApprovalKept(),
        NoFlapping(),
        OrderedOnly(),
        OwnRelease(),
        BakeKept(),
        NeedsKept(),
        ApprovalFresh(),
        ActionsEnd(),
        UndoKept(),
        OneHand(),
        LoadKnown(),
        VerifiedTrue(),
        FencedSilent(),
        DownMeansDown(),
        ScaledDownRightly(),
        Patient(),
        OutageHeld(),
        ZeroOnlyWhenIdle(),
        WaitersServed(),
        BegunIsEnded(),
        NamedOnce(),
        OrdersStand(),
        FailedTruly(),
        StillStands(),
        DrainAsPromised(),
        FreezeKept(),
        ShortIsSaid(),
        WaysBackKept(),
        FitsLoad(),
        SuccessorFirst(),
        UndoSpares(),
        NotAtOnceAgain(),
        RiskKept(),
        StakesTold(),
        RefusedIsNotOwed(),
        ZeroAfterIdle(),
    ]
