"""The scaling model against closed forms of queueing theory, and its figures in the report."""

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.scaling import DOCUMENT, MEASURED, PICTURE
from bench.scaling_model import (
    Assumptions,
    PageCost,
    Server,
    bottleneck,
    fitted,
    gpu_limits,
    price_per_million,
    throughput,
)
from bench.scaling_report import report, with_tables

servers = st.sampled_from([1.0, 2.0, 16.0]).flatmap(
    lambda cores: st.builds(
        Server,
        demand_s=st.floats(0.01, 10),
        cores=st.just(cores),
        cores_alone=st.floats(1, cores),
        delay_s=st.just(0.0) | st.floats(0.01, 5),
    )
)


def test_a_lone_page_takes_its_cores_time_and_its_delay() -> None:
    """A single page does not wait."""
    server = Server(demand_s=1.2, cores=2, cores_alone=1.5, delay_s=0.2)
    assert throughput(server, 1) == pytest.approx(1 / (1.2 / 1.5 + 0.2))


def test_one_core_is_the_machine_repair_model() -> None:
    """M/M/1//N: X = (1 - p0) / D with 1/p0 = sum over j of N! / (N - j)! (D / Z)^j."""
    demand_s, delay_s, clients = 0.5, 2.0, 6
    terms = [math.perm(clients, j) * (demand_s / delay_s) ** j for j in range(clients + 1)]
    expected = (1 - 1 / sum(terms)) / demand_s
    assert throughput(Server(demand_s, 1, 1, delay_s), clients) == pytest.approx(expected)


@given(servers)
def test_many_clients_fill_the_cores(server: Server) -> None:
    """The capacity is cores / demand, and is never passed."""
    capacity = server.cores / server.demand_s
    found = [throughput(server, clients) for clients in (1, 2, 4, 8, 64)]
    assert found == pytest.approx(sorted(found))
    assert found[-1] <= capacity * 1.000001


@pytest.mark.parametrize(
    "server",
    [
        Server(1.0, 1.6, 1.0, 0.5),  # a page uses one core; a fifth of both is lost
        Server(1.0, 1.9, 1.6, 0.1),  # it uses most of both
        Server(1.0, 2, 2.0, 0.0),  # nothing but the cores: others only wait
    ],
)
def test_a_fit_finds_the_server_that_made_the_points(server: Server) -> None:
    """Its figures at one and four clients are enough to tell the others."""
    alone_s = 1 / throughput(server, 1)
    found = fitted(server.demand_s, 2, (alone_s, server.cores_alone), (4, throughput(server, 4)))
    for clients in (1, 2, 8, 16):
        assert throughput(found, clients) == pytest.approx(throughput(server, clients), rel=0.03)


def test_the_slower_of_gpu_and_cores_sets_the_limit() -> None:
    """With a fast GPU, the CPU cores limit the throughput."""
    cost = PageCost(networks_s=0.5, others_s=0.25, gateway_s=0.01, bytes_in=1e6, bytes_out=1e4)
    slow, fast = Assumptions(gpu_speedup=10, cores_per_gpu=8), Assumptions(gpu_speedup=1000, cores_per_gpu=8)
    assert bottleneck(gpu_limits(cost, slow)) == ("GPU", 20)
    assert bottleneck(gpu_limits(cost, fast)) == ("cores beside the GPU", 32)
    assert bottleneck(gpu_limits(cost, replace(fast, node_gbit_per_s=0.1)))[0] == "the node's network"


def test_the_price_of_a_million_pages() -> None:
    """Ten pages a second for 3.60 an hour: a million takes 100 000 s, at 0.001 a second."""
    assert price_per_million(10, 3.6) == pytest.approx(100)


def test_the_document_has_the_figures_that_were_measured() -> None:
    """`make bench-scaling` writes both."""
    measured = json.loads(MEASURED.read_text(encoding="utf-8"))
    document = DOCUMENT.read_text(encoding="utf-8")
    found = report(measured, Assumptions())
    assert with_tables(document, found.tables) == document
    assert PICTURE.read_text(encoding="utf-8") == found.picture


def test_tables_go_between_their_marks() -> None:
    """And a document without them is refused."""
    document = "before\n<!-- a -->\nold\n<!-- end -->\nafter"
    assert with_tables(document, {"a": "new"}) == "before\n<!-- a -->\nnew\n<!-- end -->\nafter"
    with pytest.raises(ValueError, match="<!-- b -->"):
        with_tables(document, {"b": "new"})
