#include "interface/console/documents.hpp"

#include <nlohmann/json.hpp>

namespace torchkiln::console {

std::string error_text(const base::Error& error, const Paint& paint) {
  std::string text;
  if (error.where) text += paint.bold(error.where->to_string() + ": ");
  text += paint.red("error:") + " " + error.message + "\n";
  for (const auto& note : error.notes) text += "  " + note + "\n";
  for (const auto& hint : error.hints) text += "  " + paint.cyan("hint:") + " " + hint + "\n";
  return text;
}

std::string error_json(const base::Error& error) {
  nlohmann::ordered_json json = {{"code", name(error.code)}, {"message", error.message}};
  if (error.where) {
    json["where"] = {{"file", error.where->file}};
    if (error.where->line > 0) json["where"]["line"] = error.where->line;
    if (error.where->column > 0) json["where"]["column"] = error.where->column;
  }
  json["notes"] = error.notes;
  json["hints"] = error.hints;
  const nlohmann::ordered_json root = {{"schema", "torchkiln.error/1"}, {"error", json}};
  return root.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace torchkiln::console
