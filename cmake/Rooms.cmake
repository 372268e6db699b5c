# A room is a folder src/<wing>/<room>, a namespace torchkiln::<room> and a static library tk_<room>.
add_library(tk_flags INTERFACE)
# Warnings are for us: who builds for use cannot do anything about them.
if(TORCHKILN_WERROR)
  target_compile_options(tk_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Werror)
endif()

# tk_room(<room> [USES room...] [LINKS target...]): called by the room's own CMakeLists.txt.
function(tk_room room)
  cmake_parse_arguments(ROOM "" "" "USES;LINKS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  if(NOT sources)
    return()
  endif()
  add_library(tk_${room} STATIC ${sources})
  target_include_directories(tk_${room} PUBLIC ${CMAKE_SOURCE_DIR}/src)
  list(TRANSFORM ROOM_USES PREPEND tk_)
  target_link_libraries(tk_${room} PUBLIC ${ROOM_USES} ${ROOM_LINKS} PRIVATE tk_flags)
endfunction()

function(tk_add_rooms)
  foreach(room ${ARGN})
    if(EXISTS ${CMAKE_SOURCE_DIR}/src/${room}/CMakeLists.txt)
      add_subdirectory(src/${room})
    endif()
  endforeach()
endfunction()
