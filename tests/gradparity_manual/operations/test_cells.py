"""Recurrent cells and their backpropagation through time against machines, over shapes that hypothesis draws."""

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gradparity.operations import gru as gru_spec
from gradparity.operations import lstm as lstm_spec
from gradparity.operations import rnn as rnn_spec
from gradparity_manual.operations import gru, lstm, rnn
from gradparity_manual.operations.machines import Operation, hold, over_shapes
