# Einfaches neuronales Netz, Übungsblatt 5
import numpy as np

rng = np.random.default_rng(5)
eingabe = rng.normal(size=(30, 4))
ziel = rng.normal(size=(30, 2))
gewichte1 = rng.normal(size=(4, 6)) * 0.5
gewichte2 = rng.normal(size=(6, 2)) * 0.5
lernrate = 0.05

def sigmoide(x):
    return 1 / (1 + np.exp(-x))

def sigmoide_ableitung(y):
    return y * (1 - y)

for epoche in range(200):
    # Vorwärts
    summe = eingabe @ gewichte1
    versteckt = sigmoide(summe)
    ausgabe = versteckt @ gewichte2
    fehler = ausgabe - ziel
    verlust = np.mean(fehler ** 2)
    # Rückwärts
    grad_ausgabe = 2 * fehler / fehler.size
    grad_gewichte2 = versteckt.T @ grad_ausgabe
    grad_versteckt = grad_ausgabe @ gewichte2.T
    grad_summe = grad_versteckt * sigmoide_ableitung(versteckt)
    grad_gewichte1 = eingabe.T @ grad_summe
    gewichte1 -= lernrate * grad_gewichte1
    gewichte2 -= lernrate * grad_gewichte2
