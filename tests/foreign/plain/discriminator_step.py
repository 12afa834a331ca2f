# numpy GAN: discriminator step with logits, leaky relu
import numpy as np

np.random.seed(10)
bs, zdim, hdim, xdim = 9, 4, 6, 5

W0 = np.random.randn(xdim, hdim) * 0.3
b0 = np.zeros(hdim)
W1 = np.random.randn(hdim, 1) * 0.3
b1 = np.zeros(1)

def sigmoid(x):
    return 1. / (1. + np.exp(-x))

def lrelu(x, alpha=1e-2):
    return np.maximum(x, x * alpha)

def dlrelu(x, alpha=1e-2):
    dx = np.ones_like(x)
    dx[x < 0] = alpha
    return dx

def discriminator(img):
    h0_l = img @ W0 + b0
    h0_a = lrelu(h0_l)
    h1_l = h0_a @ W1 + b1
    out = sigmoid(h1_l)
    return h0_l, h0_a, h1_l, out

def backprop_dis(x_real, x_fake):
    r_h0l, r_h0a, r_logit, r_out = discriminator(x_real)
    f_h0l, f_h0a, f_logit, f_out = discriminator(x_fake)
    d_loss = np.mean(-np.log(r_out + 1e-8) - np.log(1 - f_out + 1e-8))

    # real
    grad_real_out = -1.0 / (r_out + 1e-8) / len(x_real)
    grad_r_logit = grad_real_out * r_out * (1 - r_out)
    grad_W1_real = r_h0a.T @ grad_r_logit
    grad_b1_real = grad_r_logit.sum(0)
    grad_r_h0a = grad_r_logit @ W1.T
    grad_r_h0l = grad_r_h0a * dlrelu(r_h0l)
    grad_W0_real = x_real.T @ grad_r_h0l
    grad_b0_real = grad_r_h0l.sum(0)
    # fake
    grad_fake_out = 1.0 / (1 - f_out + 1e-8) / len(x_fake)
    grad_f_logit = grad_fake_out * f_out * (1 - f_out)
    grad_W1_fake = f_h0a.T @ grad_f_logit
    grad_b1_fake = grad_f_logit.sum(0)
    grad_f_h0a = grad_f_logit @ W1.T
    grad_f_h0l = grad_f_h0a * dlrelu(f_h0l)
    grad_W0_fake = x_fake.T @ grad_f_h0l
    grad_b0_fake = grad_f_h0l.sum(0)

    grad_W1 = grad_W1_real + grad_W1_fake
    grad_b1 = grad_b1_real + grad_b1_fake
    grad_W0 = grad_W0_real + grad_W0_fake
    grad_b0 = grad_b0_real + grad_b0_fake
    return d_loss, grad_W0, grad_b0, grad_W1, grad_b1

for epoch in range(3):
    real = np.random.randn(bs, xdim) + 1
    fake = np.random.randn(bs, xdim)
    d_loss, gW0, gb0, gW1, gb1 = backprop_dis(real, fake)
    W0 -= 0.1 * gW0
    b0 -= 0.1 * gb0
    W1 -= 0.1 * gW1
    b1 -= 0.1 * gb1
    print(epoch, d_loss)
