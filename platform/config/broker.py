"""What the worker keeps of messages that it has not acknowledged; made to outlive the connection that they came over."""

from __future__ import annotations

from kombu.transport.redis import QoS


class Unacknowledged(QoS):
    """Kombu's own, but that a lost connection is let go.

    Celery 5.7 closes the lost one, and then puts messages back, or acknowledges them, over it: the worker ends of that. Nobody
    needs either. The database knows what runs, a message that comes again finds nothing to claim, and the sweeper sends what is lost.
    """

    restore_at_shutdown = False

    def ack(self, delivery_tag: str) -> None:
        """Acknowledge, while the message's connection stands."""
        if not self.channel.closed:
            super().ack(delivery_tag)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:  # noqa: FBT001, FBT002 - Kombu's signature
        """Give back, while the message's connection stands."""
        if not self.channel.closed:
            super().reject(delivery_tag, requeue=requeue)
