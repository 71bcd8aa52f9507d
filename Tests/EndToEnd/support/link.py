"""A link between browser and server that can be cut: a plain TCP relay on a port of its own."""
import socket
import threading

from .ports import free_port


class Link:
    """`origin` leads to `server` while the link is whole. Cut, it drops every connection and takes no new one."""

    def __init__(self, server):
        self.server, self.port = server, free_port()
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
                far = socket.create_connection(("127.0.0.1", self.server.port))
                self.pairs.append((near, far))
            for source, target in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(source, target), daemon=True).start()

    @staticmethod
    def _pump(source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # Cut, or closed by the other side: the pair's other thread ends the same way.

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
