"""DNS queries of runs in the nest (the container in which crun starts runs): no sandbox uses up the number of queries
that may run at the same time.
"""

from __future__ import annotations

from norn_tasks.adapters.nest.program.network.names import QuestionPlaces


def test_no_sandbox_takes_all_places_of_questions_for_names() -> None:
    places = QuestionPlaces(all_together=3, of_one=2)
    taken = [places.take(asker) for asker in ("a", "a", "a", "b", "b")]
    with places.given_back("a"):
        pass
    assert (taken, places.take("b")) == ([True, True, False, True, False], True)
