"""A queueing model of the server, and its predictions for other machines.

A page needs so many seconds of processor time (its demand), spread over so many cores as it can use alone,
and some time on no core: hops between processes, waits for a batch. The cores are one station that pages
share; the rest is a delay. Clients send their next page when the last is answered: a closed network with a
load-dependent station, whose states have product form (Gordon and Newell, "Closed Queuing Systems with
Exponential Servers", Operations Research 15, 1967).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Server:
    """One machine.

    Attributes:
        demand_s: processor seconds a page.
        cores: of the machine, as far as pages get them.
        cores_alone: cores that one page keeps busy when it is alone.
        delay_s: seconds of a page on no core.
    """

    demand_s: float
    cores: float
    cores_alone: float
    delay_s: float

    def rates(self, pages: int) -> Array:
        """Pages a second with 1, 2, … pages on the cores."""
        present = np.arange(1, pages + 1)
        busy = np.minimum(present * self.cores_alone, self.cores)
        return np.asarray(busy / self.demand_s, dtype=np.float64)


def throughput(server: Server, clients: int) -> float:
    """Pages a second with that many clients, none of which thinks; the latency is clients / throughput."""
    if server.delay_s == 0:
        return float(server.rates(clients)[-1])
    on_cores = np.arange(clients + 1)
    delayed = clients - on_cores
    rates = server.rates(clients)
    # Of each state: logarithms, since the factors span hundreds of magnitudes.
    weights = delayed * np.log(server.delay_s) - np.array([math.lgamma(n + 1) for n in delayed])
    weights -= np.concatenate([[0.0], np.cumsum(np.log(rates))])
    probability = np.exp(weights - weights.max())
    probability /= probability.sum()
    return float(probability[1:] @ rates)


def fitted(demand_s: float, cores: float, alone: tuple[float, float], point: tuple[int, float]) -> Server:
    """Fit the model to the measured latency of a single page and to one more point.

    Fitted is the share of the cores that pages get; the system, the load generator and waits for each other
    take the rest.

    Args:
        demand_s: processor seconds a page, with others beside it.
        cores: of the machine.
        alone: a lone page's seconds, and the cores that it keeps busy.
        point: clients and the pages a second measured with them.
    """
    alone_s, cores_alone = alone
    clients, measured = point
    delay_s = max(0.0, alone_s - demand_s / cores_alone)
    candidates = [
        Server(demand_s, cores * share, min(cores_alone, cores * share), delay_s)
        for share in np.linspace(0.5, 1, 251)
    ]
    return min(candidates, key=lambda server: abs(throughput(server, clients) - measured))


@dataclass(frozen=True)
class PageCost:
    """The measured cost of a page.

    Attributes:
        networks_s: core seconds for the networks: what a GPU takes over.
        others_s: core seconds for all else: decoding, boxes, crops, text, Triton itself.
        gateway_s: processor seconds in the gateway, where one is in between.
        bytes_in: a file's size.
        bytes_out: an answer's.
    """

    networks_s: float
    others_s: float
    gateway_s: float
    bytes_in: float
    bytes_out: float


@dataclass(frozen=True)
class Assumptions:
    """What was not measured here; `python -m bench.scaling report --set gpu_speedup=60` puts in another.

    Attributes:
        gpu_speedup: how many of these cores a GPU replaces in the networks.
        core_factor: how much faster a core of the GPU's machine is than one here.
        cores_per_gpu: cores beside each GPU.
        gpu_price_per_hour: of a GPU with those cores.
        core_price_per_hour: of a core in a machine without GPUs.
        node_gbit_per_s: a machine's network.
        gpus_per_node: in a machine.
        balancer_gbit_per_s: what one load balancer passes on.
        storage_reads_per_s: objects a second that a prefix of the object storage gives.
    """

    gpu_speedup: float = 100
    core_factor: float = 1
    cores_per_gpu: float = 8
    gpu_price_per_hour: float = 1.0
    core_price_per_hour: float = 0.04
    node_gbit_per_s: float = 25
    gpus_per_node: float = 1
    balancer_gbit_per_s: float = 50
    storage_reads_per_s: float = 5500


def gpu_limits(cost: PageCost, given: Assumptions) -> dict[str, float]:
    """Pages a second at most, for one GPU with its cores, by what sets the limit."""
    wire_bits = 8 * (cost.bytes_in + cost.bytes_out)
    return {
        "GPU": given.gpu_speedup / cost.networks_s,
        "cores beside the GPU": given.cores_per_gpu * given.core_factor / cost.others_s,
        "the node's network": given.node_gbit_per_s * 1e9 / wire_bits / given.gpus_per_node,
    }


def shared_limits(cost: PageCost, given: Assumptions) -> dict[str, float]:
    """Pages a second at most, however many GPUs there are, by what they share."""
    wire_bits = 8 * (cost.bytes_in + cost.bytes_out)
    return {
        "one load balancer": given.balancer_gbit_per_s * 1e9 / wire_bits,
        "one prefix of the object storage": given.storage_reads_per_s,
    }


def bottleneck(limits: Mapping[str, float]) -> tuple[str, float]:
    """The smallest limit, with its name."""
    name = min(limits, key=lambda key: limits[key])
    return name, limits[name]


def price_per_million(pages_per_s: float, price_per_hour: float) -> float:
    """What a million pages cost on something that reads so many a second for so much an hour."""
    return price_per_hour / 3600 / pages_per_s * 1e6
