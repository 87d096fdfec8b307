"""What a fault may come to, beside being struck."""


class Missed(Exception):
    """A fault that found nothing to strike."""


class Skipped(Exception):
    """A fault that can't be had here, and why."""


class Loss:
    """A daemon that can't go on, and when its sagas were free for others."""

    def __init__(self, kind, name, identity, at):
        self.kind, self.name, self.identity, self.at = kind, name, identity, at
        self.sagas = None   # that it owned, as last seen
        self.over = None    # when its row was gone
