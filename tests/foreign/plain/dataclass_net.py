from __future__ import annotations
from dataclasses import dataclass, field
from typing import NamedTuple
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

class Cache(NamedTuple):
    x: Array
    pre: Array
    hid: Array

@dataclass
class Net:
    w_in: Array
    w_out: Array
    grads: dict[str, Array] = field(default_factory=dict)

    def forward(self, x: Array) -> tuple[Array, Cache]:
        pre = x @ self.w_in
        hid = np.log1p(np.exp(pre))
        return hid @ self.w_out, Cache(x, pre, hid)

    def loss_and_backward(self, x: Array, target: Array) -> float:
        out, cache = self.forward(x)
        residual = out - target
        huber = np.where(np.abs(residual) < 1, 0.5 * residual**2, np.abs(residual) - 0.5)
        loss: float = huber.mean()
        d_out: Array = np.clip(residual, -1, 1) / residual.size
        self.grads["w_out"] = cache.hid.T @ d_out
        d_hid = d_out @ self.w_out.T
        d_pre = d_hid / (1 + np.exp(-cache.pre))
        self.grads["w_in"] = cache.x.T @ d_pre
        return loss

def main() -> None:
    rng = np.random.default_rng(11)
    net = Net(rng.normal(size=(5, 7)), rng.normal(size=(7, 2)))
    x, t = rng.normal(size=(13, 5)), rng.normal(size=(13, 2))
    for i in range(4):
        loss = net.loss_and_backward(x, t)
        net.w_in -= 0.01 * net.grads["w_in"]
        net.w_out -= 0.01 * net.grads["w_out"]
        print(f"{i}: {loss:.3e}")

if __name__ == "__main__":
    main()
