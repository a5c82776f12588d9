"""Inference: the gateway that speaks OpenAI's protocol, its keys, budgets and models.

Source of every "gateway contract, section N" in this package: the contract of gateways and billing.
"""
