"""How gRPC connections are made: none dies unnoticed, and none to an emulator is led astray."""

KEEPALIVE = (
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.ping_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
)
"""Options of a channel: while calls are under way, ask every 30 s whether the other side is there, and give it 10 s.

Without them a connection that a NAT or a load balancer has forgotten is used for ever: nothing is ever heard on it.
30 s is what Google's own clients of Pub/Sub and Firestore ask for. No pings are sent while no call is under way, which
servers count as abuse; and they are not held back after two without data, which is what a call that waits looks like
(https://github.com/grpc/grpc/blob/master/doc/keepalive.md). gRPC also pings to measure the bandwidth, and sends no
other ping until that one is answered; without a limit of its own it gives it a minute (seen with grpcio 1.85).
"""

TO_EMULATOR = (
    *KEEPALIVE,
    ("grpc.enable_http_proxy", 0),
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
)
"""Options of a channel to an emulator, which Google's clients would make without most of them.

It is kept alive like a channel to the service and takes messages of any size as that one does: with the 4 MiB that are
usual, one large message would fail every pull that it is in. And it never goes by the proxy that `http_proxy` may name.
"""
