"""The layer's dropout and attention, beside torch's own."""

import pytest
import torch
from torch import nn

from skipintro.model.transformer import Dropout, EncoderLayer, SelfAttention

TYPES = (torch.float32, torch.bfloat16)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 0.99])
def test_a_share_of_p_is_dropped_and_the_rest_made_larger(p: float, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    given = torch.ones(1001, 999, dtype=dtype)  # no multiple of the four that are drawn at once
    dropped = Dropout(p).train()(given)
    assert dropped.dtype == dtype
    assert (dropped == 0).float().mean() == pytest.approx(p, abs=0.002)
    assert dropped[dropped != 0].unique().tolist() == pytest.approx([1 / (1 - p)], rel=0.01)


def test_each_call_drops_others_and_a_seed_the_same() -> None:
    given, dropout = torch.ones(64, 64), Dropout(0.5).train()
    torch.manual_seed(0)
    first, second = dropout(given), dropout(given)
    torch.manual_seed(0)
    assert dropout(given).equal(first)
    assert not second.equal(first)


def test_neighbours_are_dropped_independently() -> None:
    torch.manual_seed(0)
    is_dropped = (Dropout(0.5).train()(torch.ones(400_000)) == 0).float()
    for distance in range(1, 9):
        both = (is_dropped[distance:] * is_dropped[:-distance]).mean()
        assert both == pytest.approx(0.25, abs=0.005)


def test_gradients_pass_where_values_do() -> None:
    given = torch.randn(50, 50, requires_grad=True)
    torch.manual_seed(0)
    dropped = Dropout(0.3).train()(given)
    dropped.sum().backward()
    assert given.grad is not None
    torch.testing.assert_close(given.grad * given.detach(), dropped.detach())


def test_evaluation_drops_nothing() -> None:
    given = torch.randn(5, 5)
    assert Dropout(0.5).eval()(given) is given


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 2e-2)])
def test_training_without_dropout_gives_what_torch_s_layer_gives(
    dtype: torch.dtype, tolerance: float
) -> None:
    torch.manual_seed(0)
    ours = EncoderLayer(32, 4, 64, 0.0).to(dtype).train()
    theirs = nn.TransformerEncoderLayer(32, 4, 64, 0.0, batch_first=True).to(dtype).train()
    theirs.load_state_dict(ours.state_dict())
    given = torch.randn(3, 10, 32).to(dtype)
    found, expected = ours(given), theirs(given)
    torch.testing.assert_close(found, expected, atol=tolerance, rtol=tolerance)
    for layer, output in ((ours, found), (theirs, expected)):
        output.square().sum().backward()
        assert layer.self_attn.in_proj_weight.grad is not None
    torch.testing.assert_close(
        ours.self_attn.in_proj_weight.grad,
        theirs.self_attn.in_proj_weight.grad,
        atol=10 * tolerance,
        rtol=10 * tolerance,
    )


def test_attention_drops_its_weights() -> None:
    """All of them but one in a hundred: then most frames attend to nothing."""
    torch.manual_seed(0)
    attention = SelfAttention(32, 4, 0.99).train()
    nn.init.zeros_(attention.out_proj.bias)
    nn.init.eye_(attention.out_proj.weight)
    frames = torch.randn(3, 10, 32)
    attended, none = attention(frames, frames, frames)
    assert none is None
    assert (attended.view(3, 10, 4, 8) == 0).all(-1).float().mean() > 0.8
