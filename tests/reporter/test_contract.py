"""What the reporter has of the contract is that of this checkout."""

from reporter import vendor


def test_the_contract_is_that_of_this_checkout() -> None:
    assert vendor.TARGET.read_text("ascii") == vendor.render()
