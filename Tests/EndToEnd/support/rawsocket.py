"""Bytes on a TCP connection: what well-behaved clients never send, and how the server answers."""
import base64
import os
import socket
import struct

from .waiting import PATIENCE

TEXT, BINARY, CLOSE, PING, PONG, CONTINUATION = 1, 2, 8, 9, 10, 0


def frame(opcode: int, payload: bytes = b"", fin=True, mask=True, reserved=0, claimed_length=None) -> bytes:
    """One WebSocket frame, as wrong as asked. `claimed_length` lies about the payload's size."""
    length = len(payload) if claimed_length is None else claimed_length
    head = bytes([(0x80 if fin else 0) | (reserved << 4) | opcode])
    flag = 0x80 if mask else 0
    if length < 126:
        head += bytes([flag | length])
    elif length < 65536:
        head += bytes([flag | 126]) + struct.pack(">H", length)
    else:
        head += bytes([flag | 127]) + struct.pack(">Q", length)
    if not mask:
        return head + payload
    key = os.urandom(4)
    return head + key + bytes(byte ^ key[index % 4] for index, byte in enumerate(payload))


class Raw:
    """One TCP (or TLS) connection, read with a deadline."""

    def __init__(self, server):
        self.server = server
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)
        if server.tls:
            self.socket = server.tls.context.wrap_socket(self.socket, server_hostname="127.0.0.1")
        self.buffer = b""
        # Of the frame that was read last.
        self.was_compressed = False

    def send(self, data: bytes):
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # The server has refused already; what it said is still to be read.
        return self

    def _fill(self) -> bool:
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            return False
        self.buffer += data
        return bool(data)

    def take(self, count: int) -> bytes:
        while len(self.buffer) < count:
            if not self._fill():
                raise EOFError(f"The server closed the connection; left: {self.buffer[:200]!r}")
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def closed(self) -> bool:
        """Waits for the server to close the connection; what it still says is dropped."""
        while self._fill():
            self.buffer = b""
        return True

    # HTTP

    def request(self, method="GET", path="/livez", headers=None, body=b"", host=None) -> "Answer":
        lines = [f"{method} {path} HTTP/1.1", f"Host: {host or f'127.0.0.1:{self.server.port}'}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        return self.answer()

    def answer(self) -> "Answer":
        while b"\r\n\r\n" not in self.buffer:
            if not self._fill():
                raise EOFError(f"The server closed the connection; left: {self.buffer[:200]!r}")
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        answer = Answer(head.decode("latin-1"))
        if answer.status >= 200:
            answer.body = self._body(answer.headers)
        return answer

    def _body(self, headers: dict) -> bytes:
        if headers.get("transfer-encoding") == "chunked":
            body = b""
            while True:
                while b"\r\n" not in self.buffer:
                    if not self._fill():
                        raise EOFError("The server closed the connection inside a chunk.")
                size, self.buffer = self.buffer.split(b"\r\n", 1)
                chunk = self.take(int(size, 16) + 2)[:-2]
                if not chunk:
                    return body
                body += chunk
        return self.take(int(headers.get("content-length", 0)))

    # WebSocket

    def upgrade(self, path: str, token=None, **headers) -> "Answer":
        """A handshake; a header given as None is left out, `_` in its name stands for `-`."""
        all_headers = {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
            "Sec-WebSocket-Version": "13",
        }
        if token:
            all_headers["Authorization"] = f"Bearer {token}"
        all_headers |= {name.replace("_", "-"): value for name, value in headers.items()}
        return self.request("GET", path, {name: value for name, value in all_headers.items() if value is not None})

    def read_frame(self) -> tuple[int, bytes]:
        """The next frame of the server: its opcode and payload. A server's frames are never masked."""
        first, second = self.take(2)
        assert not second & 0x80, "the server masked a frame"
        self.was_compressed = bool(first & 0x40)
        length = second & 0x7F
        if length == 126:
            length = struct.unpack(">H", self.take(2))[0]
        elif length == 127:
            length = struct.unpack(">Q", self.take(8))[0]
        return first & 0x0F, self.take(length)

    def read_until(self, opcode: int) -> bytes:
        """The payload of the next frame of this kind; others are skipped."""
        while True:
            kind, payload = self.read_frame()
            if kind == opcode:
                return payload

    def close_code(self) -> int:
        """The code with which the server closes; 1005 when it gives none."""
        payload = self.read_until(CLOSE)
        return struct.unpack(">H", payload[:2])[0] if payload else 1005

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


class Answer:
    """A parsed head, and the body once read."""

    def __init__(self, head: str):
        lines = head.split("\r\n")
        self.status = int(lines[0].split()[1])
        self.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        self.body = b""
