from __future__ import annotations

import pytest
import torch
from torch import nn

from devos.model.layers import Pointwise


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("bias", [True, False])
def test_a_pointwise_layer_is_a_convolution_and_takes_its_weights(layout, bias):
    reference, layer = nn.Conv2d(5, 7, 1, bias=bias).double(), Pointwise(5, 7, bias=bias).double()
    layer.load_state_dict(reference.state_dict())
    x = torch.randn(2, 5, 3, 4, dtype=torch.float64).contiguous(memory_format=layout).requires_grad_()
    expected, found = reference(x), layer(x)
    torch.testing.assert_close(found, expected)
    gradients = [torch.autograd.grad(y.square().sum(), [x, net.weight])
                 for y, net in ((expected, reference), (found, layer))]  # fmt: skip
    torch.testing.assert_close(gradients[1], gradients[0])


def test_maps_stay_channels_last():
    x = torch.randn(2, 5, 3, 4).contiguous(memory_format=torch.channels_last)
    assert Pointwise(5, 7)(x).is_contiguous(memory_format=torch.channels_last)


def test_while_a_graph_for_another_runtime_is_made_it_is_the_convolution(monkeypatch):
    monkeypatch.setattr(torch.jit, "is_tracing", lambda: True)  # jaxtyping cannot check shapes in a true trace
    layer, x = Pointwise(5, 7), torch.randn(1, 5, 3, 4)
    with torch.profiler.profile() as ran:
        layer(x)
    assert "aten::conv2d" in {event.key for event in ran.key_averages()}
