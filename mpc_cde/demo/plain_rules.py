"""Which cells are withheld and by which rule, for somebody who may read every figure.

The rules, in the order in which they act:
    minimum         fewer contributors than the study demands of all members or of a group (more, if it says so,
                    where a figure may be negative);
    dominance       (n, k): the n largest contributions exceed k per cent of the total;
    p_percent       what the two largest leave of the total is less than p per cent of the largest; neither of the two
                    concerns counts, nor cells with a figure that may be negative;
    complementary   all members and the groups of one partition are a table, for all figures that are related: those
                    that a function takes together, and a sum or difference with its terms. What the published groups
                    leave of the whole falls out by subtraction, so it must be nobody or satisfy the rules above for
                    each of these figures, with the largest minimum of the table; until it does, published groups are
                    withheld too, the smallest first, in the order of the study where they look alike. A group that
                    one figure withholds is withheld for all figures of the table. What a query asks for changes
                    nothing of this;
    ranks           a percentile that has fewer than the minimum on a side or between it and its neighbour, taken
                    together with those of the same figure and group that were asked for and published before;
    bucket          a histogram with a bucket that is neither empty nor reaches the minimum;
    remainder       a histogram of all members whose published groups leave a histogram with such a bucket;
    undefined       a ratio to nothing, a correlation with a figure that is the same for all.
Published is `minimum` for the first and `disclosure` for every other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor

from mpc_cde.demo.plain_functions import PlainItem, answer, bucket_counts
from mpc_cde.demo.plain_study import PlainFunction, Relation, relations
from mpc_cde.demo.plain_table import PlainGroup, PlainTable, Rows

MINIMUM = "minimum"
COMPLEMENTARY = "complementary"

Verdict = str | None
"""By which rule a cell is withheld."""


@dataclass(frozen=True, slots=True)
class PlainRules:
    """What the study demands. Without `complementary` every cell stands for itself."""

    minimum: int
    minimum_group: int
    minimum_negative: int = 0
    dominance: tuple[int, int] | None = None
    p_percent: int | None = None
    complementary: bool = False

    def least(self, table: PlainTable, figures: Iterable[str], group: PlainGroup | None) -> int:
        """How many contributors a cell needs."""
        least = self.minimum if group is None else self.minimum_group
        return max(least, self.minimum_negative) if table.may_be_negative(figures) else least

    def broken(
        self, table: PlainTable, figures: Sequence[str], rows: Rows, least: int, *, of_amounts: bool
    ) -> Verdict:
        """The first of the rules about contributions that these contributors break."""
        if len(rows) < least:
            return MINIMUM
        for name in figures if of_amounts and not table.may_be_negative(figures) else ():
            amounts = table.amounts(name, rows)
            total, largest = sum(amounts), amounts[-1]
            if self.dominance is not None:
                count, percent = self.dominance
                if 100 * sum(amounts[-count:]) > percent * total:
                    return "dominance"
            if (
                self.p_percent is not None
                and 100 * (total - largest - amounts[-2]) < self.p_percent * largest
            ):
                return "p_percent"
        return None


def verdicts(
    table: PlainTable,
    study: Sequence[PlainFunction],
    items: Sequence[PlainItem],
    rules: PlainRules,
    published_before: Iterable[PlainItem] = (),
) -> list[Verdict]:
    """By which rule each item is withheld."""
    judge = _Judge(table, study, items, rules)
    judge.contributions()
    judge.ranks(published_before)
    judge.histograms()
    judge.definitions()
    return judge.found


class _Judge:
    """The items under judgement; `found` has a verdict for each as far as the rules were applied."""

    def __init__(
        self,
        table: PlainTable,
        study: Sequence[PlainFunction],
        items: Sequence[PlainItem],
        rules: PlainRules,
    ) -> None:
        self.table, self.study, self.items, self.rules = table, study, items, rules
        self.found: list[Verdict] = [None] * len(items)
        self.relations = relations(study, table.figures.values())

    def contributions(self) -> None:
        """minimum, dominance, p_percent, complementary."""
        for relation in self.relations:
            asked = [n for n, item in enumerate(self.items) if item.figures[0] in relation.figures]
            by_group = self._withheld_groups(relation) if self._is_table(relation) else {}
            for position in asked:
                item = self.items[position]
                own = self._broken(item.figures, item.group, of_amounts=item.of_amounts)
                beside = by_group.get(item.group)
                self.found[position] = own or (COMPLEMENTARY if beside == MINIMUM else beside)

    def _is_table(self, relation: Relation) -> bool:
        is_known = relation.has_whole or self._counts_everybody(relation)
        return self.rules.complementary and is_known and relation.attribute is not None

    def _counts_everybody(self, relation: Relation) -> bool:
        """Whether contributors of its groups are all members, whose number is public."""
        return any(
            not any(self.table.figures[name].blank_allowed for name in figures)
            for figures in relation.in_groups
        )

    def _withheld_groups(self, relation: Relation) -> dict[PlainGroup | None, Verdict]:
        """The groups of a table that are withheld, each for all its figures."""
        groups = [None, *self.table.groups_of(relation.attribute or "")]
        withheld: dict[PlainGroup | None, Verdict] = {}
        for group in groups:
            for figures, of_amounts in relation.combinations.items():
                rule = self._broken(figures, group, of_amounts=of_amounts)
                if rule is not None:
                    withheld.setdefault(group, rule)
        is_number_alone = None in withheld
        if is_number_alone and not self._counts_everybody(relation):
            return withheld
        published = [group for group in groups if group is not None and group not in withheld]
        published.sort(key=self.table.visible_size)
        while not self._leave_no_secret(relation, groups, published, number_alone=is_number_alone):
            withheld[published.pop(0)] = COMPLEMENTARY
        return withheld

    def _leave_no_secret(
        self,
        relation: Relation,
        groups: Sequence[PlainGroup | None],
        published: Sequence[PlainGroup],
        *,
        number_alone: bool,
    ) -> bool:
        """Whether the whole less the published groups is the whole, nobody, or satisfies the rules.

        `number_alone`: nothing is known of the whole but how many it is.
        """
        if not published or self.table.leave_nobody_out(published):
            return True
        left = self._left_by(published)
        least = max(
            self.rules.least(self.table, figures, group)
            for figures in relation.combinations
            for group in groups
        )
        return all(
            self.rules.broken(
                self.table,
                figures,
                self.table.contributors(figures, left),
                least,
                of_amounts=of_amounts and not number_alone,
            )
            is None
            for figures, of_amounts in relation.combinations.items()
        )

    def _left_by(self, published: Iterable[PlainGroup]) -> Rows:
        return self.table.everybody - frozenset[int]().union(*map(self.table.members, published))

    def _broken(self, figures: Sequence[str], group: PlainGroup | None, *, of_amounts: bool) -> Verdict:
        rows = self.table.contributors(figures, self.table.members(group))
        least = self.rules.least(self.table, figures, group)
        return self.rules.broken(self.table, figures, rows, least, of_amounts=of_amounts)

    def ranks(self, published_before: Iterable[PlainItem]) -> None:
        """ranks, in the order of the query."""
        released: dict[tuple[tuple[str, ...], PlainGroup | None], set[tuple[bool, Fraction]]] = {}
        for item in published_before:
            released.setdefault((item.figures, item.group), set()).update(_percentiles_of(item))
        for position, item in enumerate(self.items):
            if not item.quantiles or self.found[position]:
                continue
            together = released.setdefault((item.figures, item.group), set()) | _percentiles_of(item)
            number = len(self.table.contributors(item.figures, self.table.members(item.group)))
            if ranks_are_far_apart(together, number, self.rules.least(self.table, item.figures, item.group)):
                released[item.figures, item.group] = together
            else:
                self.found[position] = "ranks"

    def histograms(self) -> None:
        """bucket and remainder."""
        for position, item in enumerate(self.items):
            if item.function != "histogram@1" or self.found[position]:
                continue
            if self._has_small_bucket(item, item.group):
                self.found[position] = "bucket"
            elif item.group is None and self._leaves_small_bucket(item):
                self.found[position] = "remainder"

    def _leaves_small_bucket(self, whole: PlainItem) -> bool:
        """Whether the whole less the histograms of groups that the study publishes has a small bucket."""
        (relation,) = (each for each in self.relations if whole.figures[0] in each.figures)
        drawn = any(f.function == whole.function and f.figures == whole.figures and f.by for f in self.study)
        if not self._is_table(relation) or not drawn:
            return False
        withheld = self._withheld_groups(relation)
        open_groups = [g for g in self.table.groups_of(relation.attribute or "") if g not in withheld]
        published = [group for group in open_groups if not self._has_small_bucket(whole, group)]
        if not published or self.table.leave_nobody_out(published):
            return False
        least = max(self.rules.least(self.table, whole.figures, group) for group in (None, *open_groups))
        left = self.table.contributors(whole.figures, self._left_by(published))
        return _is_small(bucket_counts(whole, self.table, left), least)

    def _has_small_bucket(self, item: PlainItem, group: PlainGroup | None) -> bool:
        rows = self.table.contributors(item.figures, self.table.members(group))
        return _is_small(
            bucket_counts(item, self.table, rows), self.rules.least(self.table, item.figures, group)
        )

    def definitions(self) -> None:
        """undefined."""
        for position, item in enumerate(self.items):
            if not self.found[position]:
                rows = self.table.contributors(item.figures, self.table.members(item.group))
                if answer(item, self.table, rows) is None:
                    self.found[position] = "undefined"


def ranks_are_far_apart(percentiles: Iterable[tuple[bool, Fraction]], number: int, least: int) -> bool:
    """Whether `least` of the `number` figures lie below, above and between what the percentiles show.

    A percentile (False, q) shows the figure of one rank, a linear one (True, q) those of one or two.
    """
    shown = {(quantile, *_ranks(quantile, number, linear=linear)) for linear, quantile in percentiles}
    spans = [(0, 0), *sorted((low, high) for _, low, high in shown), (number + 1, number + 1)]
    return all(low - high - 1 >= least for (_, high), (low, _) in pairwise(spans))


def _ranks(quantile: Fraction, number: int, *, linear: bool) -> tuple[int, int]:
    if not linear:
        return ceil(quantile * number), ceil(quantile * number)
    place = quantile * (number - 1)
    return floor(place) + 1, ceil(place) + 1


def _percentiles_of(item: PlainItem) -> set[tuple[bool, Fraction]]:
    return {(item.function == "percentiles_linear@1", quantile) for quantile in item.quantiles}


def _is_small(counts: Iterable[int], least: int) -> bool:
    return any(0 < count < least for count in counts)
