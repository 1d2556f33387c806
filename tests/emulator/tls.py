"""TLS in front of a server on loopback: `tls.py --upstream http://127.0.0.1:PORT --certificate FILE` makes a
certificate authority of its own, writes its certificate to the file, and forwards what arrives on a free port.
Prints `listening on https://127.0.0.1:PORT`. Ends when its standard input closes."""

import argparse
import asyncio
import datetime
import ipaddress
import pathlib
import ssl
import sys
import tempfile
import urllib.parse

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from lifeline import end_with_stdin


def certify(subject: str, issuer=None, authority: bool = False):
    """A key with a certificate, by the issuer (a pair of both) or by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)])
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer[1].subject if issuer else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if not authority:
        address = x509.IPAddress(ipaddress.ip_address(subject))
        builder = builder.add_extension(x509.SubjectAlternativeName([address]), critical=False)
    return key, builder.sign(issuer[0] if issuer else key, hashes.SHA256())


def pem(certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


async def pump(reader, writer) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


async def serve(upstream: str, context: ssl.SSLContext) -> None:
    target = urllib.parse.urlsplit(upstream)

    async def forward(reader, writer) -> None:
        far_reader, far_writer = await asyncio.open_connection(target.hostname, target.port)
        await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))

    server = await asyncio.start_server(forward, "127.0.0.1", 0, ssl=context)
    print(f"listening on https://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description="TLS in front of a server on loopback")
    parser.add_argument("--upstream", required=True)
    parser.add_argument("--certificate", required=True, type=pathlib.Path)
    parser.add_argument("--until-stdin-closes", action="store_true")
    args = parser.parse_args()
    if args.until_stdin_closes:
        end_with_stdin()
    authority = certify("an authority for tests", authority=True)
    key, certificate = certify("127.0.0.1", issuer=authority)
    args.certificate.write_bytes(pem(authority[1]))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile(suffix=".pem") as chain:
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        chain.write(secret + pem(certificate))
        chain.flush()
        context.load_cert_chain(chain.name)
    try:
        asyncio.run(serve(args.upstream, context))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
