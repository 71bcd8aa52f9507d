import Domain

/// A room as another node can go on with it: who has a seat, by which token, and how far their signals have come. What
/// waited for them is not in it: they are told to negotiate anew.
extension RoomMachine {
  var document: JSON {
    [
      "salt": .string(salt), "joins": .int(Int64(joins)), "version": .int(version),
      "seats": .array(
        seats.map {
          [
            "id": .string($0.id), "token": .string(Base64URL.encode($0.tokenHash)), "order": .int(Int64($0.order)),
            "participant": $0.participant.json,
          ]
        }),
      "known": .array(known.map { [.string($0.key), .string($0.value)] }),
      "generations": .array(generations.map { [.string($0.key.one), .string($0.key.other), .int($0.value)] }),
      "begun": .array(begun.map { [.string($0.from), .string($0.to)] }),
    ]
  }

  /// Every seat waits for its resume. Nil when the document is none.
  init?(document: JSON, tree: FacilityTree) {
    guard let salt = document["salt"]?.string, let joins = document["joins"]?.int,
      let version = document["version"]?.int
    else { return nil }
    self.init(salt: salt)
    self.joins = Int(joins)
    self.version = version
    for item in document["seats"]?.array ?? [] {
      guard let id = item["id"]?.string, let token = item["token"]?.string.flatMap(Base64URL.decode),
        let order = item["order"]?.int, let participant = item["participant"].flatMap({ Participant($0, tree: tree) })
      else { return nil }
      var seat = Seat(id: id, participant: participant, tokenHash: token, order: Int(order), link: nil)
      seat.outbox.forgotten()
      seats.append(seat)
    }
    for item in document["known"]?.array ?? [] {
      if let pair = item.array?.compactMap(\.string), pair.count == 2 { known[pair[0]] = pair[1] }
    }
    for item in document["generations"]?.array ?? [] {
      if let one = item.array?.first?.string, let other = item.array?.dropFirst().first?.string,
        let number = item.array?.last?.int
      {
        generations[Pair(one, other)] = number
      }
    }
    for item in document["begun"]?.array ?? [] {
      if let pair = item.array?.compactMap(\.string), pair.count == 2 {
        begun.insert(Direction(from: pair[0], to: pair[1]))
      }
    }
  }

  /// Begins the time of every seat that nobody sits on: after the room was taken over.
  mutating func holdAll() -> [Action] {
    seats.indices.filter { seats[$0].link == nil }.map { index in
      seats[index].holds += 1
      return .hold(seat: seats[index].id, number: seats[index].holds)
    }
  }
}

extension RoomMachine.Participant {
  var json: JSON {
    .compact([
      "role": .string(role.rawValue), "session": .string(caller.sessionId), "kind": .string(caller.kind.rawValue),
      "person": .string(caller.personId), "username": .string(caller.username), "name": .string(caller.name),
      "practitioner": caller.practitionerId.map { .string($0) },
      "specialty": caller.specialty.map { .string($0.rawValue) }, "vehicle": caller.vehicleId.map { .string($0) },
      "grants": .array(caller.grants.map(\.json)), "expiresAt": caller.expiresAt.map { .int($0.milliseconds) },
    ])
  }

  init?(_ json: JSON, tree: FacilityTree) {
    guard let role = json["role"]?.string.flatMap(Role.init(rawValue:)), let session = json["session"]?.string,
      let kind = json["kind"]?.string.flatMap(Caller.Kind.init(rawValue:)), let person = json["person"]?.string,
      let username = json["username"]?.string, let name = json["name"]?.string
    else { return nil }
    let grants = (json["grants"]?.array ?? []).compactMap { Grant(json: $0) }
    self.init(
      caller: Caller(
        sessionId: session, kind: kind, personId: person, username: username, name: name,
        practitionerId: json["practitioner"]?.string,
        specialty: json["specialty"]?.string.flatMap(Specialty.init(rawValue:)), vehicleId: json["vehicle"]?.string,
        grants: grants, tree: tree, expiresAt: json["expiresAt"]?.int.map { Instant(milliseconds: $0) }), role: role)
  }
}
