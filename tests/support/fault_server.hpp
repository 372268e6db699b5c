#pragma once
// A loopback HTTP server that misbehaves as told (fault_server.py says how), for one test.

#include "support/test_folder.hpp"

#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <memory>
#include <spawn.h>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include <nlohmann/json.hpp>

extern char** environ;

namespace torchkiln::test {

struct Request {
  std::string plan, file, range, authorization;
  double at_s = 0;
  int parallel = 0;  ///< how many requests the server was answering
};

/// The server's process. Most tests share one: starting Python takes longer than they do.
class FaultServerProcess {
 public:
  explicit FaultServerProcess(const std::vector<std::string>& certificate_and_key) {
    // A proxy has no business on the loopback address.
    ::setenv("no_proxy", "127.0.0.1,localhost", 1);
    ::setenv("NO_PROXY", "127.0.0.1,localhost", 1);
    int to_server[2], from_server[2];
    if (::pipe2(to_server, O_CLOEXEC) != 0 || ::pipe2(from_server, O_CLOEXEC) != 0) FAIL("no pipe");
    std::vector<std::string> words = {"python3", TK_TEST_DATA "/support/fault_server.py", m_folder.path().string()};
    words.insert(words.end(), certificate_and_key.begin(), certificate_and_key.end());
    std::vector<char*> arguments;
    for (auto& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, to_server[0], 0);
    ::posix_spawn_file_actions_adddup2(&actions, from_server[1], 1);
    const int error = ::posix_spawnp(&m_pid, "python3", &actions, nullptr, arguments.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(to_server[0]);
    ::close(from_server[1]);
    m_lifeline = to_server[1];
    std::string line;
    for (char c = 0; error == 0 && ::read(from_server[0], &c, 1) == 1 && c != '\n';) line += c;
    ::close(from_server[0]);
    if (error != 0 || line.empty()) FAIL("the fault server did not start");
    m_port = std::stoi(line);
  }
  ~FaultServerProcess() {
    ::close(m_lifeline);
    ::kill(m_pid, SIGKILL);
    ::waitpid(m_pid, nullptr, 0);
  }
  FaultServerProcess(const FaultServerProcess&) = delete;
  FaultServerProcess& operator=(const FaultServerProcess&) = delete;

  int port() const { return m_port; }
  std::filesystem::path folder() const { return m_folder.path(); }

 private:
  TestFolder m_folder;
  pid_t m_pid = -1;
  int m_lifeline = -1;
  int m_port = 0;
};

/// One test's own room on a server.
class FaultServer {
 public:
  FaultServer() : m_process(shared()) { make_room(); }
  enum class Own { process };
  explicit FaultServer(Own, const std::vector<std::string>& certificate_and_key = {})
      : m_process(std::make_shared<FaultServerProcess>(certificate_and_key)),
        m_scheme(certificate_and_key.empty() ? "http" : "https") {
    make_room();
  }

  int port() const { return m_process->port(); }
  std::string address() const {
    return m_scheme + "://127.0.0.1:" + std::to_string(port()) + "/" + m_folder.filename().string();
  }
  void serve(const std::string& file, std::string_view bytes) const {
    must(sys::write_file(m_folder / file, bytes));
  }
  /// The address of `file`; with a plan, its first requests are answered by `steps`, a JSON list.
  std::string url(const std::string& file, const std::string& plan = "", const std::string& steps = "[]") const {
    if (plan.empty()) return address() + "/" + file;
    must(sys::write_file(m_folder / (plan + ".json"), steps));
    return address() + "/" + plan + "/" + file;
  }

  std::vector<Request> requests() const {
    std::vector<Request> list;
    const auto text = sys::read_file(m_folder / "requests.jsonl");
    std::string rest = text ? *text : "";
    for (std::size_t end; (end = rest.find('\n')) != std::string::npos; rest.erase(0, end + 1)) {
      const auto json = nlohmann::json::parse(rest.substr(0, end));
      list.push_back(
          {json["plan"], json["file"], json["range"], json["authorization"], json["at"], json["parallel"]});
    }
    return list;
  }
  /// The Range header of every request, "" for none.
  std::vector<std::string> ranges() const {
    std::vector<std::string> list;
    for (const auto& request : requests()) list.push_back(request.range);
    return list;
  }

 private:
  static std::shared_ptr<FaultServerProcess> shared() {
    static const auto process = std::make_shared<FaultServerProcess>(std::vector<std::string>());
    return process;
  }
  void make_room() {
    static int number = 0;
    m_folder = m_process->folder() / ("room" + std::to_string(++number));
    must(sys::make_directories(m_folder));
  }

  std::shared_ptr<FaultServerProcess> m_process;
  std::string m_scheme = "http";
  std::filesystem::path m_folder;
};

}  // namespace torchkiln::test
