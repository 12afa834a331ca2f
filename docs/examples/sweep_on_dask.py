"""A sweep on a Dask cluster: joblib's backend "dask" sends every draw to a worker.

Run it with the number of draws:  python docs/examples/sweep_on_dask.py 1000
"""

import sys

import joblib
from distributed import Client, LocalCluster

from gradparity.sweep.draws import sweep


def main(count: int) -> None:
    """Check so many draws of the mlp on two workers of this machine; on a cluster, connect a Client to its address."""
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
        joblib.parallel_config(backend="dask"),
    ):
        result = sweep("mlp", count, backends=["numpy", "torch"])
        workers = len(client.scheduler_info()["workers"])
    verdict = f"draw {result.counter_example} disagrees" if result.counter_example else "all agree"
    print(f"{len(result.outcomes)} draws of mlp on {workers} workers: {verdict}")
    print(f"largest share of the float32 error budget: {result.quantile('float32', 1):.1%}")


if __name__ == "__main__":
    main(int(sys.argv[1]))
