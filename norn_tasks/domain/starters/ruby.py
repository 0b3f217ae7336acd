"""Recognises a Ruby project: Rails, a Rack app, or any other program."""

from __future__ import annotations

from norn_tasks.domain.starters.project import PORT, Directory, Project, cmd, lines

BASE = "ruby:3.3-slim"


def recognise(found: Directory) -> Project | None:
    """Returns the project if there is a Gemfile."""
    if not found.has("Gemfile"):
        return None
    locked = " Gemfile.lock" if found.has("Gemfile.lock") else ""
    rails = found.has("bin/rails")
    text = lines(
        f"FROM {BASE}",
        "RUN apt-get update && apt-get install -y --no-install-recommends build-essential "
        "libyaml-dev && rm -rf /var/lib/apt/lists/*",
        "WORKDIR /app",
        f"COPY Gemfile{locked} ./",
        "RUN bundle install",
        "COPY . .",
        "ENV RAILS_ENV=production RAILS_LOG_TO_STDOUT=1" if rails else "ENV RACK_ENV=production",
        cmd(_command(found, rails=rails)),
    )
    return Project("Ruby", "Gemfile", text, PORT, "/up" if "rails/health" in found.text("config/routes.rb") else "")


def _command(found: Directory, *, rails: bool) -> str:
    if found.web_process:
        return found.web_process
    if rails:
        return f"bin/rails server -b 0.0.0.0 -p {PORT}"
    if found.has("config.ru"):
        return f"bundle exec rackup -o 0.0.0.0 -p {PORT}"
    return f"bundle exec ruby {found.first('app.rb', 'main.rb', 'server.rb') or 'app.rb'} -o 0.0.0.0 -p {PORT}"
