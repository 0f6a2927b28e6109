"""The explorer of the phase map: frames against the stored result, and its page."""

import pytest

from svf_helpers.chapters.robustness.explorer import phase_frame, phase_frames, phase_state
from svf_helpers.experiments import load


@pytest.mark.parametrize(("row", "column", "seed"), [(0, 0, 0), (5, 3, 0), (5, 3, 1), (11, 11, 1)])
def test_the_state_is_what_was_stored(row, column, seed):
    stored = load("phase-map")
    state = phase_state(stored["p"][row], stored["lam"][column], seed + 1)
    assert state.by_rank == pytest.approx(stored["summary_cosine"][row, column, seed].mean())
    assert state.best == pytest.approx(stored["summary_best"][row, column, seed].mean())
    assert state.best >= state.by_rank - 1e-6
    # features of interest are numbered 0..7, query features first, and stored pair by pair
    where = stored["feature"].tolist()
    cosine = stored["feature_cosine"][row, column, seed]
    for i in range(8):
        for j in range(8):
            assert state.cosines[i][j] == pytest.approx(cosine[where.index(i), where.index(j)])


def test_antipodal_pairs_are_those_that_share():
    stored = load("phase-map")
    seen = 0
    for row, p in enumerate(stored["p"]):
        for column, lam in enumerate(stored["lam"]):
            state = phase_state(p, lam, 1)
            if state.outcome != "shared":
                continue
            first, second = state.shared[0][:2]
            seen += 1
            assert state.cosines[first - 1][second - 1] < -0.9, (row, column)  # the query features
            assert state.cosines[first + 3][second + 3] < -0.9, (row, column)  # the key features
    assert seen > 3


def test_frames_show_the_cell():
    stored = load("phase-map")
    frame = phase_frame(stored["p"][4], stored["lam"][7], 2)
    assert frame["cursor"] == {"x": 56 + 21 * 7, "y": 28 + 21 * 4}
    state = phase_state(stored["p"][4], stored["lam"][7], 2)
    assert frame["say-rank"]["text"] == f"{state.by_rank:.2f}"
    shared = next(
        (p, lam, seed) for p in stored["p"] for lam in stored["lam"] for seed in (1, 2)
        if phase_state(p, lam, seed).outcome == "shared"
    )
    first, second = phase_state(*shared).shared[0][:2]
    frame = phase_frame(*shared)
    assert frame[f"cos-{second - 1}-{first - 1}"] == {"fill": "#2166ac"}  # full blue: antipodal
    assert f"pairs {first} and {second} share" in frame["say-note"]["text"]


def test_between_cells_the_nearest_one_is_shown():
    assert phase_frame(0.5, 4.4, 1) == phase_frame(0.521, 4.0, 1) != phase_frame(0.521, 7.1, 1)


def test_the_page_is_small_and_the_live_explorer_answers():
    explorer = phase_frames()
    assert "288 frames" in repr(explorer)
    assert len(explorer.to_html()) < 120_000
    p, lam, seed, picture = phase_frames().live().children
    assert [len(slider.options) for slider in (p, lam, seed)] == [12, 12, 2]  # the cells that were run
    p.value, lam.value = 1.0, 0.4
    assert 'data-part="say-rank">1.00</span>' in picture.value
