from typing import Literal

ListClientsOrder = Literal["asc", "desc"]

LIST_CLIENTS_ORDER_VALUES: set[ListClientsOrder] = {
    "asc",
    "desc",
}


def check_list_clients_order(value: str) -> ListClientsOrder:
    if value in LIST_CLIENTS_ORDER_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {LIST_CLIENTS_ORDER_VALUES!r}"
    )
