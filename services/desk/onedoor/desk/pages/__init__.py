"""The desk's pages, one module each."""

from onedoor.desk.pages import (
    calendar,
    cases,
    chain,
    chains,
    clock,
    common,
    console,
    duty,
    figures,
    household,
    inbox,
    payments,
    registry,
    signin,
    stream,
    work,
)

ROUTERS = (
    common.router,
    signin.router,
    console.router,
    work.router,
    chains.router,
    chain.router,
    clock.router,
    household.router,
    cases.router,
    stream.router,
    figures.router,
    payments.router,
    registry.router,
    inbox.router,
    duty.router,
    calendar.router,
)

__all__ = ["ROUTERS"]
