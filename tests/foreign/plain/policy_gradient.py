import numpy as np
# REINFORCE with baseline, discrete actions
rng = np.random.default_rng(5)
class Policy:
    def __init__(self, obs, hid, act):
        self.params = {'W1': rng.standard_normal((obs, hid)) / np.sqrt(obs), 'W2': rng.standard_normal((hid, act)) / np.sqrt(hid)}
        self.entropy_coef = 0.01
    def update(self, states, actions, advantages):
        h = states @ self.params['W1']
        h = np.maximum(h, 0)
        logits = h @ self.params['W2']
        logits = logits - logits.max(axis=1, keepdims=True)
        probs = np.exp(logits)
        probs /= probs.sum(axis=1, keepdims=True)
        logp = np.log(probs)
        n = len(states)
        entropy = -(probs * logp).sum(axis=1)
        loss = -(advantages * logp[np.arange(n), actions]).mean() - self.entropy_coef * entropy.mean()
        dlogits = probs.copy()
        dlogits[np.arange(n), actions] -= 1
        dlogits *= advantages[:, None]
        dlogits += self.entropy_coef * probs * (logp + entropy[:, None])
        dlogits /= n
        grads = {}
        grads['W2'] = h.T @ dlogits
        dh = dlogits @ self.params['W2'].T
        dh[h <= 0] = 0
        grads['W1'] = states.T @ dh
        for k in self.params:
            self.params[k] -= 1e-2 * grads[k]
        return loss
pi = Policy(4, 6, 3)
for ep in range(2):
    s = rng.standard_normal((11, 4)); a = rng.integers(0, 3, 11); adv = rng.standard_normal(11)
    print(pi.update(s, a, adv))
