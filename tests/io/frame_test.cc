#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "engine/random.h"
#include "gtest/gtest.h"
#include "io/frame_reader.h"
#include "io/frame_writer.h"
#include "io/socket.h"

namespace cachalot {
namespace {

constexpr size_t kFrameBytesMax = 1 << 20;

// Two ends of a stream, both non-blocking.
struct Stream {
  Stream() {
    int fds[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    in = FileDescriptor(fds[0]);
    out = FileDescriptor(fds[1]);
  }

  // What is there to be read.
  std::string ReadAll() {
    std::string bytes;
    char buffer[65536];
    for (;;) {
      const ssize_t count = read(out.get(), buffer, sizeof(buffer));
      if (count <= 0) return bytes;
      bytes.append(buffer, static_cast<size_t>(count));
    }
  }

  FileDescriptor in;
  FileDescriptor out;
};

std::string Written(const std::vector<std::string>& frames) {
  Stream stream;
  FrameWriter writer;
  for (const std::string& frame : frames) writer.Add(frame);
  EXPECT_EQ(writer.WriteTo(stream.in.get()), FrameWriter::Progress::kDrained);
  EXPECT_TRUE(writer.empty());
  return stream.ReadAll();
}

TEST(FrameTest, LengthComesFirstWithTheLowestByteFirst) {
  EXPECT_EQ(Written({"abc"}), std::string("\3\0\0\0abc", 7));
  EXPECT_EQ(Written({std::string(258, 'x')}).substr(0, 5),
            std::string("\2\1\0\0x", 5));
}

TEST(FrameTest, ComesOutWhole) {
  const std::vector<std::string> frames = {"a", std::string(5000, 'b'), "cd",
                                           std::string(4096, 'e'), "f"};
  FrameReader reader(kFrameBytesMax);
  std::vector<std::string> read;
  EXPECT_TRUE(reader.Read(Written(frames), &read));
  EXPECT_EQ(read, frames);
}

TEST(FrameTest, ComesOutWholeFromAnyPieces) {
  const std::vector<std::string> frames = {"a", "bc", std::string(9, 'd'), "e"};
  const std::string bytes = Written(frames);
  for (size_t piece = 1; piece <= bytes.size(); ++piece) {
    FrameReader reader(kFrameBytesMax);
    std::vector<std::string> read;
    for (size_t at = 0; at < bytes.size(); at += piece) {
      ASSERT_TRUE(reader.Read(bytes.substr(at, piece), &read));
    }
    EXPECT_EQ(read, frames) << "in pieces of " << piece;
  }
}

TEST(FrameTest, IsAlignedToEight) {
  FrameReader reader(kFrameBytesMax);
  std::vector<std::string> read;
  ASSERT_TRUE(reader.Read(Written({"a", "0123456789abcdef", "b"}), &read));
  for (const std::string& frame : read) {
    EXPECT_EQ(reinterpret_cast<uintptr_t>(frame.data()) % 8, 0);
  }
}

TEST(FrameReaderTest, RefusesLengthsOutOfBounds) {
  std::vector<std::string> read;
  EXPECT_FALSE(FrameReader(100).Read(std::string("\0\0\0\0", 4), &read));
  EXPECT_FALSE(FrameReader(100).Read(std::string("\x65\0\0\0", 4), &read));
  EXPECT_FALSE(FrameReader(100).Read("\xff\xff\xff\xff", &read));
  EXPECT_TRUE(FrameReader(100).Read(std::string("\x64\0\0\0", 4), &read));
  EXPECT_TRUE(read.empty());
}

TEST(FrameReaderTest, KeepsWhatCameBeforeABadLength) {
  std::vector<std::string> read;
  EXPECT_FALSE(
      FrameReader(100).Read(std::string("\1\0\0\0a\0\0\0\0", 9), &read));
  EXPECT_EQ(read, std::vector<std::string>{"a"});
}

TEST(FrameReaderTest, UsesSpareMemoryForFramesThatAreWhole) {
  FrameReader reader(kFrameBytesMax);
  std::vector<std::string> read;
  std::vector<std::string> spare(1, std::string(100, 's'));
  const std::string bytes = Written({std::string(50, 'a')});
  ASSERT_TRUE(reader.Read(bytes.substr(0, 20), &read, &spare));
  EXPECT_EQ(spare.size(), 1) << "kept for a frame that may never be complete";
  ASSERT_TRUE(reader.Read(bytes.substr(20), &read, &spare));

  const char* memory = spare[0].data();
  ASSERT_TRUE(reader.Read(Written({std::string(60, 'b'), "c"}), &read, &spare));
  EXPECT_EQ(spare.size(), 0);
  ASSERT_EQ(read.size(), 3);
  EXPECT_EQ(read[0], std::string(50, 'a'));
  EXPECT_EQ(read[1], std::string(60, 'b'));
  EXPECT_EQ(static_cast<const void*>(read[1].data()), memory);
  EXPECT_EQ(read[2], "c");
}

TEST(FrameWriterTest, GoesOnWhereTheStreamWasFull) {
  Stream stream;
  FrameWriter writer;
  Random random(1);
  std::vector<std::string> frames;
  for (int i = 0; i < 400; ++i) {
    frames.emplace_back(random.Between(1, 20000),
                        static_cast<char>('a' + i % 26));
    writer.Add(frames.back());
  }
  FrameReader reader(kFrameBytesMax);
  std::vector<std::string> read;
  int blocked = 0;
  while (writer.WriteTo(stream.in.get()) == FrameWriter::Progress::kBlocked) {
    ++blocked;
    ASSERT_TRUE(reader.Read(stream.ReadAll(), &read));
    // More may come while the stream is full.
    if (blocked == 1) {
      frames.push_back("late");
      writer.Add("late");
    }
  }
  ASSERT_TRUE(reader.Read(stream.ReadAll(), &read));
  EXPECT_GT(blocked, 0);
  EXPECT_TRUE(writer.empty());
  EXPECT_EQ(read, frames);
}

TEST(FrameWriterTest, ABrokenStreamIsNoSignal) {
  Stream stream;
  stream.out.Close();
  FrameWriter writer;
  writer.Add("a");
  EXPECT_EQ(writer.WriteTo(stream.in.get()), FrameWriter::Progress::kBroken);
}

}  // namespace
}  // namespace cachalot
