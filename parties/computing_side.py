"""Wiring of what computes: supervisor, columns and conductor of one node."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import protocols
from parties.columns import prepare_columns
from parties.conductor import Conductor
from parties.desk import Desk
from parties.intake import Intake
from parties.mesh_identity import PinnedPeer
from parties.session_supervisor import SessionSupervisor

if TYPE_CHECKING:
    from parties.node import Node


def computing_side(node: Node, intake: Intake) -> Conductor:
    """The conductor of a node whose community stands."""
    community = intake.community
    peers = {
        index: PinnedPeer(index, card.name, card.mesh_host, card.mesh_port, card.mesh_certificate)
        for index, card in enumerate(community.cards)
        if index != intake.own_index
    }
    supervisor = SessionSupervisor(
        own_index=intake.own_index,
        credentials=node.home.load_mesh_credentials(node.passphrase),
        peers=peers,
        threshold=community.threshold,
        community=community.digest(),
        listening_socket=node.mesh_socket,
        limits=node.settings.limits,
        cache_directory=_kernel_cache(node),
    )

    async def columns(study: bytes, roster: bytes) -> Path:
        key = node.place.load_sealing_key(study, node.passphrase)
        return await prepare_columns(node.place, key, party=intake.own_index, study=study, roster=roster)

    return Conductor(
        desk=Desk(
            store=node.store,
            log=node.log,
            intake=intake,
            identity=node.identity,
            clock=node.clock,
            wake_outbox=node.outbox.doorbell.ring,
        ),
        home=node.place,
        sessions=supervisor,
        policy=node.settings.policy.as_policy(),
        prepare_columns=columns,
    )


def _kernel_cache(node: Node) -> Path | None:
    """Where compiled kernels are kept: beside their source (None), or in the home where that is read-only."""
    source = Path(protocols.__file__).parent
    return None if os.access(source, os.W_OK) else node.place.path / "kernels"
