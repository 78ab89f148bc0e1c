from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Model, Unset

T = TypeVar("T", bound="Session")


@_attrs_define
class Session(Model):
    """A client session of a node, much as the CLIENT LIST command of Redis shows it. Any field may be missing, and more
    may be there.

    """

    id: str | Unset = UNSET
    """ ID of the client, a number in text. """
    addr: str | Unset = UNSET
    """ Address of the client as `ip:port`. Without client IP pass-through it is an internal 198.19.x.x address. """
    fd: str | Unset = UNSET
    """ File descriptor of the connection, a number in text. """
    name: str | Unset = UNSET
    """ Name that the client gave itself with CLIENT SETNAME, or empty. """
    cmd: str | Unset = UNSET
    """ Last command of the client. """
    age: int | Unset = UNSET
    """ How long the client has been connected, in seconds. """
    idle: int | Unset = UNSET
    """ How long the client has been idle, in seconds. """
    db: str | Unset = UNSET
    """ ID of the database that the client has selected, a number in text. """
    flags: str | Unset = UNSET
    """ Flags of the client, one letter each; N if there is no flag. """
    sub: int | Unset = UNSET
    """ Number of channels that the client is subscribed to. """
    psub: int | Unset = UNSET
    """ Number of patterns that the client is subscribed to. """
    multi: int | Unset = UNSET
    """ Number of commands in a transaction. """
    qbuf: int | Unset = UNSET
    """ Length of the query buffer in bytes; 0 means that none is allocated. """
    qbuf_free: int | Unset = UNSET
    """ Free space of the query buffer in bytes; 0 means that no space is left. """
    obl: int | Unset = UNSET
    """ Length of the output buffer in bytes; 0 means that none is allocated. """
    oll: int | Unset = UNSET
    """ Number of objects in the output list. """
    omem: int | Unset = UNSET
    """ Memory that the output buffer and list take, in bytes. """
    events: str | Unset = UNSET
    """ Events of the file descriptor: r for readable, w for writable, or both. Other values may come. """
    network: str | Unset = UNSET
    """ Kind of network that the client comes from. """
    peer: str | Unset = UNSET
    """ Address and port on single-node, master/standby and Redis Cluster instances, and the value that
    HangUpClients takes. The vendor does not say what it is on instances with proxies. """
    user: str | Unset = UNSET
    """ User that the client has authenticated as. """
    node_id: str | Unset = UNSET
    """ ID of the node that the session is on. The service does not send it. """
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    _names: ClassVar[Mapping[str, str]] = {
        "id": "id",
        "addr": "addr",
        "fd": "fd",
        "name": "name",
        "cmd": "cmd",
        "age": "age",
        "idle": "idle",
        "db": "db",
        "flags": "flags",
        "sub": "sub",
        "psub": "psub",
        "multi": "multi",
        "qbuf": "qbuf",
        "qbuf_free": "qbuf_free",
        "obl": "obl",
        "oll": "oll",
        "omem": "omem",
        "events": "events",
        "network": "network",
        "peer": "peer",
        "user": "user",
        "node_id": "node_id",
    }

    def to_dict(self) -> dict[str, Any]:
        id = self.id

        addr = self.addr

        fd = self.fd

        name = self.name

        cmd = self.cmd

        age = self.age

        idle = self.idle

        db = self.db

        flags = self.flags

        sub = self.sub

        psub = self.psub

        multi = self.multi

        qbuf = self.qbuf

        qbuf_free = self.qbuf_free

        obl = self.obl

        oll = self.oll

        omem = self.omem

        events = self.events

        network = self.network

        peer = self.peer

        user = self.user

        node_id = self.node_id

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({})
        if id is not UNSET:
            field_dict["id"] = id
        if addr is not UNSET:
            field_dict["addr"] = addr
        if fd is not UNSET:
            field_dict["fd"] = fd
        if name is not UNSET:
            field_dict["name"] = name
        if cmd is not UNSET:
            field_dict["cmd"] = cmd
        if age is not UNSET:
            field_dict["age"] = age
        if idle is not UNSET:
            field_dict["idle"] = idle
        if db is not UNSET:
            field_dict["db"] = db
        if flags is not UNSET:
            field_dict["flags"] = flags
        if sub is not UNSET:
            field_dict["sub"] = sub
        if psub is not UNSET:
            field_dict["psub"] = psub
        if multi is not UNSET:
            field_dict["multi"] = multi
        if qbuf is not UNSET:
            field_dict["qbuf"] = qbuf
        if qbuf_free is not UNSET:
            field_dict["qbuf_free"] = qbuf_free
        if obl is not UNSET:
            field_dict["obl"] = obl
        if oll is not UNSET:
            field_dict["oll"] = oll
        if omem is not UNSET:
            field_dict["omem"] = omem
        if events is not UNSET:
            field_dict["events"] = events
        if network is not UNSET:
            field_dict["network"] = network
        if peer is not UNSET:
            field_dict["peer"] = peer
        if user is not UNSET:
            field_dict["user"] = user
        if node_id is not UNSET:
            field_dict["node_id"] = node_id

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        id = d.pop("id", UNSET)

        addr = d.pop("addr", UNSET)

        fd = d.pop("fd", UNSET)

        name = d.pop("name", UNSET)

        cmd = d.pop("cmd", UNSET)

        age = d.pop("age", UNSET)

        idle = d.pop("idle", UNSET)

        db = d.pop("db", UNSET)

        flags = d.pop("flags", UNSET)

        sub = d.pop("sub", UNSET)

        psub = d.pop("psub", UNSET)

        multi = d.pop("multi", UNSET)

        qbuf = d.pop("qbuf", UNSET)

        qbuf_free = d.pop("qbuf_free", UNSET)

        obl = d.pop("obl", UNSET)

        oll = d.pop("oll", UNSET)

        omem = d.pop("omem", UNSET)

        events = d.pop("events", UNSET)

        network = d.pop("network", UNSET)

        peer = d.pop("peer", UNSET)

        user = d.pop("user", UNSET)

        node_id = d.pop("node_id", UNSET)

        session = cls(
            id=id,
            addr=addr,
            fd=fd,
            name=name,
            cmd=cmd,
            age=age,
            idle=idle,
            db=db,
            flags=flags,
            sub=sub,
            psub=psub,
            multi=multi,
            qbuf=qbuf,
            qbuf_free=qbuf_free,
            obl=obl,
            oll=oll,
            omem=omem,
            events=events,
            network=network,
            peer=peer,
            user=user,
            node_id=node_id,
        )

        session.additional_properties = d
        return session
