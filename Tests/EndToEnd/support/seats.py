"""A seat in a consult's call: joined, talked from, lost and claimed again."""
from .sockets import Call
from .waiting import PATIENCE


class Seat:
    """One joined side of a call."""

    def __init__(self, caller, consult, resume=None, patience: float = PATIENCE):
        self.caller, self.consult = caller, consult
        self.call = Call(caller, consult)
        try:
            self.joined = self.call.join(resume, patience)
        except AssertionError:
            self.call.close()
            raise
        self.id, self.token = self.joined["self"], self.joined["resume"]

    def other(self, patience_for="the other side") -> dict:
        """The one other member, once there is one."""
        alone = lambda members: [m for m in members if m["id"] != self.id]
        roster = self.call.wait_roster(lambda members: len(alone(members)) == 1, patience_for)
        return alone(roster["members"])[0]

    def alone(self):
        self.call.wait_roster(lambda members: not [m for m in members if m["id"] != self.id], "an empty room")

    def offer(self, to: dict, sdp: str, kind="offer", generation=None):
        self.call.send(
            {"op": "description", "to": to["id"], "generation": generation or to["generation"], "description": {"type": kind, "sdp": sdp}}
        )

    def candidate(self, to: dict, text, generation=None):
        candidate = {"candidate": text, "sdpMid": "0", "sdpMLineIndex": 0} if text is not None else None
        self.call.send({"op": "candidate", "to": to["id"], "generation": generation or to["generation"], "candidate": candidate})

    def heard(self, op: str) -> list:
        return [frame for frame in list(self.call.frames) if frame.get("op") == op]

    def hears(self, what: str, **members) -> dict:
        return self.call.first(what, **members)

    def heard_candidates(self) -> list:
        return [frame["candidate"] and frame["candidate"]["candidate"] for frame in self.heard("candidate")]

    def resumed(self, caller=None) -> "Seat":
        """A new socket that claims this seat, as another `caller` of the same person if need be."""
        return Seat(caller or self.caller, self.consult, resume=self.token)

    def negotiates(self, peer: dict, sdp: str, candidates: int):
        """Sends an offer and its candidates, all of which the server has taken in on return."""
        self.offer(peer, sdp)
        for n in range(candidates):
            self.candidate(peer, f"candidate:{n}")
        self.call.send({"op": "ping"})
        self.hears("that all was taken in", op="pong")

    def has_heard(self, sdp: str, candidates: int):
        """Waits for an offer and its candidates, each once and in their order."""
        self.call.wait(lambda _: len(self.heard("candidate")) == candidates, "the candidates")
        assert [frame["description"]["sdp"] for frame in self.heard("description")] == [sdp]
        assert self.heard_candidates() == [f"candidate:{n}" for n in range(candidates)]
