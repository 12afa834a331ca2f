"""Connectionist temporal classification in the log domain: Graves et al. 2006."""

import numpy as np

NEG_INF = -1e30


def log_softmax(x):
    x = x - x.max(axis=1, keepdims=True)
    return x - np.log(np.exp(x).sum(axis=1, keepdims=True))


def logadd(*values):
    top = max(values)
    return top + np.log(sum(np.exp(v - top) for v in values))


def ctc_loss(logits, labels, blank=0):
    """logits (T, K), labels a list of integers; returns the loss and its gradient with respect to logits."""
    T, K = logits.shape
    lp = log_softmax(logits)
    ext = [blank]
    for label in labels:
        ext += [label, blank]
    S = len(ext)

    alpha = np.full((T, S), NEG_INF)
    alpha[0, 0], alpha[0, 1] = lp[0, ext[0]], lp[0, ext[1]]
    for t in range(1, T):
        for s in range(S):
            terms = [alpha[t - 1, s]]
            if s > 0:
                terms.append(alpha[t - 1, s - 1])
            if s > 1 and ext[s] != blank and ext[s] != ext[s - 2]:
                terms.append(alpha[t - 1, s - 2])
            alpha[t, s] = logadd(*terms) + lp[t, ext[s]]
    log_likelihood = logadd(alpha[-1, -1], alpha[-1, -2])

    beta = np.full((T, S), NEG_INF)
    beta[-1, -1] = beta[-1, -2] = 0.0
    for t in reversed(range(T - 1)):
        for s in range(S):
            ways = [beta[t + 1, s] + lp[t + 1, ext[s]]]
            if s < S - 1:
                ways.append(beta[t + 1, s + 1] + lp[t + 1, ext[s + 1]])
            if s < S - 2 and ext[s + 2] != blank and ext[s + 2] != ext[s]:
                ways.append(beta[t + 1, s + 2] + lp[t + 1, ext[s + 2]])
            beta[t, s] = logadd(*ways)

    occupancy = np.zeros((T, K))
    for s in range(S):
        occupancy[:, ext[s]] += np.exp(alpha[:, s] + beta[:, s] - log_likelihood)
    grad = np.exp(lp) - occupancy
    return -log_likelihood, grad


def hmm_loss(log_start, log_move, log_emit, observed):
    """Minus the log-likelihood of a hidden Markov chain, by the forward-backward algorithm."""
    T, S = len(observed), len(log_start)
    alpha = np.zeros((T, S))
    alpha[0] = log_start + log_emit[:, observed[0]]
    for t in range(1, T):
        a = alpha[t - 1][:, None] + log_move
        alpha[t] = np.log(np.exp(a).sum(axis=0)) + log_emit[:, observed[t]]
    total = np.log(np.exp(alpha[-1]).sum())
    beta = np.zeros((T, S))
    for t in range(T - 2, -1, -1):
        b = log_move + log_emit[:, observed[t + 1]] + beta[t + 1]
        beta[t] = np.log(np.exp(b).sum(axis=1))
    gamma = np.exp(alpha + beta - total)
    dstart = -gamma[0]
    dmove, demit = np.zeros_like(log_move), np.zeros_like(log_emit)
    for t in range(T):
        demit[:, observed[t]] -= gamma[t]
    for t in range(T - 1):
        dmove -= np.exp(alpha[t][:, None] + log_move + log_emit[:, observed[t + 1]] + beta[t + 1] - total)
    return -total, (dstart, dmove, demit)
