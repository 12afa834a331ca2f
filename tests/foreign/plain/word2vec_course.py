"""Skip-gram with negative sampling, a function that returns loss and gradients."""

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def negSamplingLossAndGradient(centerWordVec, outsideWordIdx, outsideVectors, negSampleWordIndices):
    u_o = outsideVectors[outsideWordIdx]
    u_k = outsideVectors[negSampleWordIndices]
    z_o = u_o @ centerWordVec
    z_k = -u_k @ centerWordVec
    loss = -np.log(sigmoid(z_o)) - np.sum(np.log(sigmoid(z_k)))

    gradCenterVec = (sigmoid(z_o) - 1) * u_o + (1 - sigmoid(z_k)) @ u_k
    gradOutsideVecs = np.zeros_like(outsideVectors)
    gradOutsideVecs[outsideWordIdx] += (sigmoid(z_o) - 1) * centerWordVec
    for i, k in enumerate(negSampleWordIndices):
        gradOutsideVecs[k] += (1 - sigmoid(z_k[i])) * centerWordVec
    return loss, gradCenterVec, gradOutsideVecs


rng = np.random.default_rng(0)
loss, gc, go = negSamplingLossAndGradient(rng.normal(size=4), 1, rng.normal(size=(7, 4)), [2, 5, 2])
print(loss)
