import numpy as np
def triplet(anchor, positive, negative, margin=0.5):
    dp = anchor - positive
    dn = anchor - negative
    dist_p = (dp ** 2).sum(1)
    dist_n = (dn ** 2).sum(1)
    hinge = np.maximum(0, dist_p - dist_n + margin)
    loss = hinge.mean()
    active = (hinge > 0)[:, None] / len(anchor)
    grad_anchor = 2 * active * (negative - positive)
    grad_positive = -2 * active * dp
    grad_negative = 2 * active * dn
    return loss, grad_anchor, grad_positive, grad_negative

rng = np.random.RandomState(0)
a, p, n = rng.randn(8, 5), rng.randn(8, 5), rng.randn(8, 5)
l, ga, gp, gn = triplet(a, p, n)
print(l)
