"""The service: settings, SQL, HTTP serving, schedule and command line. The only room that knows the other two."""
