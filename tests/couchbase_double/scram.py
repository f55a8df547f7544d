"""The server's side of SASL: PLAIN, and SCRAM (RFC 5802) with a password that is checked."""

import base64
import hashlib
import hmac
import os

HASHES = {"SCRAM-SHA512": "sha512", "SCRAM-SHA256": "sha256", "SCRAM-SHA1": "sha1"}
MECHANISMS = [*HASHES, "PLAIN"]
ITERATIONS = 4096


def plain_is_right(message: bytes, username: str, password: str) -> bool:
    """Check PLAIN's `authzid NUL user NUL password`."""
    return message.split(b"\0")[1:] == [username.encode(), password.encode()]


class Scram:
    """One exchange: `first` answers the client's first message, `final` its last."""

    def __init__(self, mechanism: str, username: str, password: str) -> None:
        self._hash = HASHES[mechanism]
        self._username = username
        self._salt = os.urandom(16)
        self._salted = hashlib.pbkdf2_hmac(
            self._hash, password.encode(), self._salt, ITERATIONS
        )
        self._client_first = self._server_first = b""
        self._username_is_right = False

    def _hmac(self, key: bytes, message: bytes) -> bytes:
        return hmac.digest(key, message, self._hash)

    def first(self, message: bytes) -> bytes:
        """Take `n,,n=user,r=nonce`; give the nonce, the salt and the iterations."""
        self._client_first = message.split(b",", 2)[2]
        fields = dict(field.split(b"=", 1) for field in self._client_first.split(b","))
        name = fields[b"n"].decode().replace("=2C", ",").replace("=3D", "=")
        self._username_is_right = name == self._username
        nonce = fields[b"r"] + base64.b64encode(os.urandom(18))
        salt = base64.b64encode(self._salt)
        self._server_first = b"r=%s,s=%s,i=%d" % (nonce, salt, ITERATIONS)
        return self._server_first

    def final(self, message: bytes) -> bytes | None:
        """Take `c=,r=,p=proof`; give the server's signature, None for a wrong password."""
        without_proof, _, proof = message.rpartition(b",p=")
        signed = b",".join((self._client_first, self._server_first, without_proof))
        client_key = self._hmac(self._salted, b"Client Key")
        stored_key = hashlib.new(self._hash, client_key).digest()
        signature = self._hmac(stored_key, signed)
        expected = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        if not (self._username_is_right and base64.b64decode(proof) == expected):
            return None
        server_key = self._hmac(self._salted, b"Server Key")
        return b"v=" + base64.b64encode(self._hmac(server_key, signed))
