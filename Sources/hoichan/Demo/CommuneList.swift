import Foundation

/// The official list of the 3,321 communes since 1 July 2025, shipped beside the program.
enum CommuneList {
  static func bytes() throws -> [UInt8] {
    guard let file = Bundle.module.url(forResource: "communes-2025", withExtension: "csv", subdirectory: "Resources")
    else {
      throw UnreadableFile(path: "communes-2025.csv", reason: "it is not beside the program; build it again")
    }
    return try ImportFile.bytes(of: file.path)
  }
}
