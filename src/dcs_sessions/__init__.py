"""See and end the client sessions of a managed Redis on Huawei Cloud DCS."""
