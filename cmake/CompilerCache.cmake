# What a checkout's folder is called is not in what is compiled there: programs, and what is said of a broken invariant,
# are the same everywhere.
add_compile_options(-ffile-prefix-map=${CMAKE_SOURCE_DIR}/=)

# So where ccache is installed, checkouts in different folders share what they compile. Debug information may then name the
# folder that compiled first.
find_program(TK_CCACHE ccache)
if(TK_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
                                  CCACHE_SLOPPINESS=time_macros CCACHE_MAXSIZE=5G ${TK_CCACHE})
endif()
