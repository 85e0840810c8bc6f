#pragma once

// Everything a program needs: #include <ronde/ronde.hpp>, link ronde::ronde.
#include <ronde/communicator.hpp>
#include <ronde/fenced_cell.hpp>
#include <ronde/version.hpp>
