"""A card's pulse steps on the evenly spaced nodes of aihwkit's piecewise device.

`even` the nodes, `fitted` how they are chosen, `walk` pulses of that device one by one, `follow`
how well both kinds of tile follow the card.
"""

from crossbar.nodes.even import N_NODES, Nodes, step_nodes
from crossbar.nodes.follow import Follow, Miss, complaint_about_nodes, followed

__all__ = [
    "N_NODES",
    "Follow",
    "Miss",
    "Nodes",
    "complaint_about_nodes",
    "followed",
    "step_nodes",
]
