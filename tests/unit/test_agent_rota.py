"""When the disks are looked at again."""

from wherry.agent.rota import Rota


def test_a_rota_comes_round_and_can_be_put_off() -> None:
    now = [0.0]
    rota = Rota(100.0, lambda: now[0], lambda low, _high: low)
    assert not rota.due()
    now[0] = 90.0
    assert rota.due()
    assert not rota.due()
    now[0] = 179.0
    assert not rota.due()
    now[0] = 180.0
    assert rota.due()
    rota.postpone(10.0)
    now[0] = 189.0
    assert rota.due()


def test_no_two_agents_keep_the_same_rota() -> None:
    rotas = [Rota(1000.0, lambda: 0.0) for _ in range(5)]
    assert len({rota.next_at for rota in rotas}) > 1
