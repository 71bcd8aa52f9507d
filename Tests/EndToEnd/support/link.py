"""A link between browser and servers that can be cut: a plain TCP relay on a port of its own."""
import socket
import threading

from .ports import free_port


class Link:
    """`origin` leads to the first of the `servers` that listens, while the link is whole. Cut, it drops every connection
    and takes no new one."""

    def __init__(self, *servers):
        self.servers, self.port = servers, free_port()
        self.pairs, self.whole, self.lock = [], True, threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return  # disposed
            with self.lock:
                if not self.whole:
                    near.close()
                    continue
                far = self._reach()
                if far is None:
                    near.close()
                    continue
                self.pairs.append((near, far))
            for source, target in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(source, target), daemon=True).start()

    def _reach(self):
        for server in self.servers:
            try:
                return socket.create_connection(("127.0.0.1", server.port))
            except OSError:
                pass  # Down: the next one, as a load balancer does.
        return None

    @staticmethod
    def _pump(source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            # Cut, or reset by one side: the other side must hear of it too.
            for end in (source, target):
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass  # It had ended before.

    def cut(self):
        with self.lock:
            self.whole = False
            for pair in self.pairs:
                for end in pair:
                    try:
                        end.shutdown(socket.SHUT_RDWR)
                    except OSError:
                        pass  # It had ended before.
                    end.close()
            self.pairs.clear()

    def mend(self):
        with self.lock:
            self.whole = True

    def dispose(self):
        self.listener.close()
        self.cut()
